"""How the JVMs of the tests are started."""

# They live shortly: the second compiler costs more than it saves. Without it the JVM reserves too little for code.
QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
