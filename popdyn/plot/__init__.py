"""Pictures: result to axes, one function per analysis."""
