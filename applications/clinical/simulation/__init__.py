"""Simulated patients: a latent risk drives vitals, labs and adverse events together, repeatably by seed.

`Simulation` makes events over simulated time, `live` and `Stream` at the wall clock, `Faults` spoils a known share of them.
"""

from applications.clinical.simulation.faults import FaultKind, FaultRates, Faults, Injected, Message
from applications.clinical.simulation.journal import Entry, Journal, read_journal
from applications.clinical.simulation.live import Live, Pace, Stream
from applications.clinical.simulation.patients import Patient
from applications.clinical.simulation.simulation import Simulation

__all__ = ["Entry", "FaultKind", "FaultRates", "Faults", "Injected", "Journal", "Live", "Message", "Pace", "Patient", "Simulation",
           "Stream", "read_journal"]
