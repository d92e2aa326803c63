"""Engine firebird: gbak and nbackup."""
