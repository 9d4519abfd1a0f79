//! What is carried by file and must not be taken: with whose fault it is, and nothing half done.
