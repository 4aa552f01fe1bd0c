"""The nouns: session and tensor, and how they are made, cut, viewed and stored."""
