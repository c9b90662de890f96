# Writes OUTPUT, the MANIFEST with `sha256` of LIBRARY in its [plugin] table. Replaced whole, never half written.
file(SHA256 ${LIBRARY} sha256)
file(READ ${MANIFEST} text)
string(REGEX REPLACE "(^|\n)\\[plugin\\][ \t]*\n" "\\1[plugin]\nsha256 = \"${sha256}\"\n" text "${text}")
file(WRITE ${OUTPUT}.tmp "${text}")
file(RENAME ${OUTPUT}.tmp ${OUTPUT})
