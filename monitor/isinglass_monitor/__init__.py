"""The log spooler of the monitoring workstation; its first part comes with the event spool."""
