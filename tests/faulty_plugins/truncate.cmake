# Keeps the first half of LIBRARY.
file(SIZE ${LIBRARY} size)
math(EXPR half "${size} / 2")
execute_process(COMMAND head -c ${half} ${LIBRARY} OUTPUT_FILE ${LIBRARY}.half COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${LIBRARY}.half ${LIBRARY})
