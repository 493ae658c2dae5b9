//! Retrieval between components and by the published protocol.
