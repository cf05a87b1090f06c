"""
The results on a terminal.
"""

from rich import box
from rich.console import Console
from rich.table import Table as Drawn

from benchmarks.figure import Table
from benchmarks.results import Results

_WIDTH = 200  # characters, where nobody looks: all columns have room


def show(results: Results, console: Console | None = None) -> None:
    """
    Print everything.
    """
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    for section in results.sections:
        content = section.content
        console.print(f"\n[bold]{section.title}[/bold]")
        if isinstance(content, Table):
            if content.rows:
                console.print(_drawn(content))
        else:
            console.print("\n".join(content), markup=False)
    hint = "[bold yellow]quick: too few runs to compare anything[/bold yellow]; " if results.is_quick else ""
    console.print(f"\n{hint}{results.circumstances}; {results.seconds:.0f} s in all")


def _drawn(table: Table) -> Drawn:
    drawn = Drawn(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(table.columns):
        drawn.add_column(column, justify="left" if number < table.words else "right")
    for row in table.rows:
        drawn.add_row(*(_marked(cell) for cell in row))
    return drawn


def _marked(cell: str) -> str:
    return {"met": "[green]met[/green]", "NOT MET": "[bold red]NOT MET[/bold red]"}.get(cell, cell)
