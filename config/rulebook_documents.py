"""The rows of papers: which kinds there are, and which of them an application needs, also by what its applicant declares."""

from typing import Annotated

from pydantic import Field

from config.rulebook_facts import Name, Part, Row, Text
from config.rulebook_rows import ApplicationKind


class Document(Row):
    """A kind of supporting document."""

    file, named_by = "documents", "kind"
    kind: Name
    label: Text
    help: Text | None = None
    shows: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z_]{1,39}$")], ...] = ()
    """Keys of the fields that stand on the paper, which a reviewer holds against it."""
    look_for: Text | None = None
    """What else a reviewer looks at."""


class DocumentBesides(Part):
    """A paper that whoever is registered elsewhere brings besides, whichever set they choose."""

    kind: Name
    unless_hukou_prefix: Annotated[str, Field(pattern=r"^\d{2,6}$")]
    """Whose declared hukou lies under this division needs none."""
    because: Text
    """What the applicant is told of it."""


class RequiredDocuments(Row):
    """The complete sets of documents for an application: any one set is enough, with what the declared hukou asks for besides."""

    file, named_by = "required_documents", "application"
    application: ApplicationKind
    sets: Annotated[tuple[tuple[Name, ...], ...], Field(min_length=1)]
    besides: tuple[DocumentBesides, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every paper that may be asked for, each once."""
        return tuple(dict.fromkeys([*(kind for one in self.sets for kind in one), *(each.kind for each in self.besides)]))

    def asked_besides(self, hukou_division: str | None) -> tuple[DocumentBesides, ...]:
        """What this hukou asks for besides a set; nothing while none is declared."""
        if hukou_division is None:
            return ()
        return tuple(each for each in self.besides if not hukou_division.startswith(each.unless_hukou_prefix))

    def missing(self, given: set[str], *, hukou_division: str | None = None) -> tuple[str, ...]:
        """List what the nearest complete set still lacks; empty when the documents are complete."""
        besides = [each.kind for each in self.asked_besides(hukou_division)]
        lacking = [tuple(kind for kind in dict.fromkeys([*one, *besides]) if kind not in given) for one in self.sets]
        return min(lacking, key=len)
