"""Between bytes and batches: sources, processors, feeds and writing."""

from .clip import Clip
from .feed import MemoryFeed
from .feed_stored import StoredFeed, encoded_bytes
from .kinds import OWN
from .process_array import ArrayProcessor
from .process_binary import BinaryProcessor
from .process_counts import CountProcessor
from .process_image import ImageProcessor
from .process_interactions import InteractionProcessor
from .process_sequence import SequenceProcessor, is_ragged
from .process_series import SeriesProcessor
from .process_table import TableProcessor
from .process_text import TextProcessor
from .process_words import BagOfWords
from .record import Row, Source, align, is_frame, objects
from .series import Series
from .sound import Sound
from .source import kind_of, open, processor_for
from .sparse import SparseRows
from .stored import Stored, joined_rows
from .write import check_out, write
from .write_parts import write_parts

__all__ = [
    "OWN",
    "ArrayProcessor",
    "BagOfWords",
    "BinaryProcessor",
    "Clip",
    "CountProcessor",
    "ImageProcessor",
    "InteractionProcessor",
    "MemoryFeed",
    "Row",
    "SequenceProcessor",
    "Series",
    "SeriesProcessor",
    "Sound",
    "Source",
    "SparseRows",
    "Stored",
    "StoredFeed",
    "TableProcessor",
    "TextProcessor",
    "align",
    "check_out",
    "encoded_bytes",
    "is_frame",
    "is_ragged",
    "joined_rows",
    "kind_of",
    "objects",
    "open",
    "processor_for",
    "write",
    "write_parts",
]
