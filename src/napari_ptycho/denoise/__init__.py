"""Image priors: the Deep Image Prior network, and a complex image that one makes."""
