"""Write the table of microscopes in docs/guide/optics.md again, from the settings of each kind."""

import re
from pathlib import Path

from napari_cellinr.config.optics import table

GUIDE = Path(__file__).parent / "guide" / "optics.md"

old = re.compile(r"^\| kind \|.*?(?=\n\n)", re.M | re.S)
GUIDE.write_text(old.sub(lambda _: table(), GUIDE.read_text("utf-8")), "utf-8")
