//! What is written is valid under the schema; what the schema allows is read.
