"""The work of midog as others do it: torchvision as shipped, and the field's notebooks."""
