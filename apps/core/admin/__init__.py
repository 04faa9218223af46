"""What the apps' admin pages are made of. Imports nothing: the templates' filters live beside it."""
