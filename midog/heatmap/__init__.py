"""Heat maps of slides: where a classifier of patches sees its second class, such as tumour."""
