//! A process's life: config, logs, metrics, health, listening sockets, drain.
