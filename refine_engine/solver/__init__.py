"""Levenberg-Marquardt on the arrow system; knows no body and no term.

Nothing is imported here: threads serve the start too, which needs no compiled kernel.
"""
