"""
The kinds of target whose keys this app rotates: a folder each, and one line in this table.

docs/adding-a-provider.md walks through a new one.
"""

from providers.batch import BATCH_ACCOUNT
from providers.kind import Kind
from providers.openai import OPENAI_ACCOUNT
from providers.storage import STORAGE_ACCOUNT
from providers.workflow import WORKFLOW

#: In the order in which an ARM id is tried.
KINDS: tuple[Kind, ...] = (BATCH_ACCOUNT, WORKFLOW, STORAGE_ACCOUNT, OPENAI_ACCOUNT)
