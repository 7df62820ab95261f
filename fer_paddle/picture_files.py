"""Picture files on a command line: which ones are meant, and what the annotated copies are called."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from fer_paddle import images

_KEPT_FORMATS = (".png", ".bmp", ".webp")


def find_pictures(patterns: Sequence[str]) -> list[Path]:
    """Lists the pictures that files, folders and globs mean, each once, in the order given.

    Raises:
        ValueError: One of them means no picture; it is named.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            paths = images.list_images(path)
        elif path.exists():
            paths = [path]
        else:
            # Path.glob takes no absolute pattern.
            names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
            paths = [Path(name) for name in names if Path(name).is_file()]
        if not paths:
            raise ValueError(f"expected pictures, a folder of pictures or a glob, found none for {pattern!r}")
        found |= dict.fromkeys(paths)
    return list(found)


class OutputNames:
    """Gives each picture a file name of its own in the output folder, never that of a picture it reads.

    Args:
        folder: The output folder.
        pictures: All pictures that will be read.
    """

    def __init__(self, folder: Path, pictures: Sequence[Path]):
        self.folder = folder
        # By the name that was given and by the real one, where a link lies between them.
        places = [place for path in pictures for place in (path.parent.resolve() / path.name, path.resolve())]
        self.taken = {place.name.lower() for place in places if place.parent == folder.resolve()}

    def next_for(self, path: Path) -> Path:
        """Names the copy of one picture: its own name, with a number where that is taken.

        What is neither PNG nor BMP nor WebP becomes JPEG.
        """
        suffix = path.suffix.lower() if path.suffix.lower() in _KEPT_FORMATS else ".jpg"
        name, number = f"{path.stem}{suffix}", 2
        while name.lower() in self.taken:
            name, number = f"{path.stem}-{number}{suffix}", number + 1
        self.taken.add(name.lower())
        return self.folder / name
