"""Where `opentelemetry-instrument` finds ours, in whatever project this package is installed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from g4fsdk.integrations.otel import G4FInstrumentor


class Without:
    """Stands in place of the instrumentor where its extra is missing: an error would end those of others."""

    def instrument(self, **settings: object) -> None:
        """Say in the log that nothing of ours is watched."""
        logging.getLogger("g4fsdk").debug("not watched by OpenTelemetry: pip install 'g4fsdk[otel]'")


def instrumentor() -> G4FInstrumentor | Without:
    """Return the instrumentor, which `opentelemetry-instrument` tells to begin."""
    try:
        from g4fsdk.integrations.otel import G4FInstrumentor
    except ModuleNotFoundError:
        return Without()
    return G4FInstrumentor()
