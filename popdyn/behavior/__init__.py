"""What subjects and networks did: answers by class, judgements."""
