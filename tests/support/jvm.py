"""How the sessions of the tests are started."""

# They live shortly: the second compiler costs more than it saves. Without it the JVM reserves too little for code.
QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
# Every query runs a few times on a few rows: writing and compiling code for it costs more than interpreting it. The
# demo and the cluster's test run what users run.
TINY_SPARK = {
    "spark.driver.extraJavaOptions": QUICK_JVM,
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
