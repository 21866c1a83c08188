"""The pages that commands write for people: one file each, which loads nothing and needs no script."""
