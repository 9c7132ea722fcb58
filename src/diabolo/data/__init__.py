"""Between bytes and batches: sources, processors, feeds and writing."""

from .feed import MemoryFeed
from .process_array import ArrayProcessor
from .process_binary import BinaryProcessor
from .process_counts import CountProcessor
from .process_image import ImageProcessor
from .process_sequence import SequenceProcessor, is_ragged
from .process_table import TableProcessor
from .record import Source, align
from .source import open, processor_for
from .write import check_out, write

__all__ = [
    "ArrayProcessor",
    "BinaryProcessor",
    "CountProcessor",
    "ImageProcessor",
    "MemoryFeed",
    "SequenceProcessor",
    "Source",
    "TableProcessor",
    "align",
    "check_out",
    "is_ragged",
    "open",
    "processor_for",
    "write",
]
