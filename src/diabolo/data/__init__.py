"""Between bytes and batches: sources, processors, feeds and writing."""

from .feed import MemoryFeed
from .kinds import OWN
from .process_array import ArrayProcessor
from .process_binary import BinaryProcessor
from .process_counts import CountProcessor
from .process_image import ImageProcessor
from .process_sequence import SequenceProcessor, is_ragged
from .process_series import SeriesProcessor
from .process_table import TableProcessor
from .record import Row, Source, align, is_frame, objects
from .series import Series
from .source import kind_of, open, processor_for
from .write import check_out, write

__all__ = [
    "OWN",
    "ArrayProcessor",
    "BinaryProcessor",
    "CountProcessor",
    "ImageProcessor",
    "MemoryFeed",
    "Row",
    "SequenceProcessor",
    "Series",
    "SeriesProcessor",
    "Source",
    "TableProcessor",
    "align",
    "check_out",
    "is_frame",
    "is_ragged",
    "kind_of",
    "objects",
    "open",
    "processor_for",
    "write",
]
