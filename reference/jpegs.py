#!/usr/bin/env python3
"""Makes the small JPEGs of each kind that the decoder tests read: `python reference/jpegs.py`.

All show the same drawing, 48 x 32: quarters red, green (top), blue, white (bottom). Needs pillow.
"""
from pathlib import Path

from PIL import Image

OUT = Path(__file__).resolve().parent.parent / "crates/quintet/tests/data"

drawing = Image.new("RGB", (48, 32))
for box, colour in [((0, 0), (255, 0, 0)), ((24, 0), (0, 255, 0)), ((0, 16), (0, 0, 255)), ((24, 16), (255, 255, 255))]:
    drawing.paste(colour, (*box, box[0] + 24, box[1] + 16))

OUT.mkdir(exist_ok=True)
drawing.save(OUT / "baseline.jpg", quality=90)
drawing.save(OUT / "progressive.jpg", quality=90, progressive=True)
drawing.convert("L").save(OUT / "grey.jpg", quality=90)
drawing.convert("CMYK").save(OUT / "cmyk.jpg", quality=90)
exif = Image.Exif()
exif[0x0112] = 6  # stored turned: the viewer turns it a quarter clockwise
drawing.transpose(Image.ROTATE_90).save(OUT / "turned.jpg", quality=90, exif=exif)
