#!/usr/bin/awk -f
# Who may include whom: the table of src/README.md. Prints TAP, one line a file.
# Use: includes.awk [SRCDIR]; SRCDIR of the environment otherwise.

function allow(folder, list,	i, n, word) {
	known[folder] = 1
	n = split(list, word, " ")
	for (i = 1; i <= n; i++)
		may[folder, word[i]] = 1
	may[folder, folder] = 1
}

# "| folder, folder | folder, file, ... |": the rows of the section about includes.
function read_table(map,	line, cell, folder, i, n, inside) {
	while ((getline line < map) > 0) {
		if (line ~ /^## /)
			inside = line == "## Who may include what"
		if (!inside || line !~ /^\| [a-z]/ || line ~ /^\| folder /)
			continue
		gsub(/[`,]/, " ", line)
		split(line, cell, "|")
		n = split(cell[2], folder, " ")
		for (i = 1; i <= n; i++) {
			allow(folder[i] == "main.c" ? "." : folder[i], cell[3])
			rows++
		}
	}
	close(map)
	return rows
}

function folder_of(path,	word) {
	return split(path, word, "/") > 1 ? word[1] : "."
}

function complain(where, text) {
	faults[++fault_count] = where ": " text
}

# One #include line of file, written from src/.
function check(file, line_no, text,	to, from, where) {
	from = folder_of(file)
	where = "src/" file ":" line_no
	if (text ~ /^[ \t]*#[ \t]*include[ \t]*</)
		return
	if (!match(text, /"[^"]*"/)) {
		complain(where, "include without a name")
		return
	}
	text = substr(text, RSTART + 1, RLENGTH - 2)
	if (text == "config.h")
		return
	if (text ~ /\.\./ || text !~ /\//) {
		complain(where, "\"" text "\" is not written from src/")
		return
	}
	if (!(text in exists))
		complain(where, "\"" text "\" does not exist")
	to = folder_of(text)
	edge[file, ++edges[file]] = text
	if ((from, to) in may || (from, text) in may)
		return
	complain(where, from " may not include " text)
}

# Reads one file; the first include of a .c is config.h, the second its own header.
function scan(file,	path, line, n, includes, own) {
	path = src "/" file
	own = file
	sub(/\.c$/, ".h", own)
	while ((getline line < path) > 0) {
		n++
		if (line !~ /^[ \t]*#[ \t]*include/)
			continue
		includes++
		if (file ~ /\.c$/ && includes == 1 && line !~ /"config\.h"/)
			complain("src/" file ":" n, "config.h must come first")
		if (file ~ /\.c$/ && includes == 2 && (own in exists) && index(line, "\"" own "\"") == 0)
			complain("src/" file ":" n, "\"" own "\" must come second")
		if (file ~ /\.h$/ && line ~ /"config\.h"/)
			complain("src/" file ":" n, "a header does not include config.h")
		check(file, n, line)
	}
	close(path)
}

# A cycle through headers that leads back to start.
function cycle(start, file, depth,	i, next_file) {
	if (depth > 40)
		return 0
	for (i = 1; i <= edges[file]; i++) {
		next_file = edge[file, i]
		if (next_file == start)
			return 1
		if (next_file ~ /\.h$/ && !((start, next_file) in seen)) {
			seen[start, next_file] = 1
			if (cycle(start, next_file, depth + 1))
				return 1
		}
	}
	return 0
}

BEGIN {
	root = ARGC > 1 ? ARGV[1] : ENVIRON["SRCDIR"] != "" ? ENVIRON["SRCDIR"] : "."
	src = root "/src"
	map = root "/src/README.md"
	if (!read_table(map)) {
		print "Bail out! no table of folders in " map
		exit 1
	}
	command = "cd '" src "' && find . -name '*.[ch]' | sed 's|^\\./||' | LC_ALL=C sort"
	while ((command | getline name) > 0) {
		file[++files] = name
		exists[name] = 1
	}
	if (close(command) != 0 || files == 0) {
		print "Bail out! no sources in " src
		exit 1
	}
	print "1.." files + 1
	for (f = 1; f <= files; f++)
		lives[folder_of(file[f])] = 1
	for (f = 1; f <= files; f++) {
		name = file[f]
		fault_count = 0
		if (!(folder_of(name) in known))
			complain("src/" name, "folder is not in the table")
		scan(name)
		count[f] = fault_count
		for (i = 1; i <= fault_count; i++)
			kept[f, i] = faults[i]
	}
	for (f = 1; f <= files; f++) {
		name = file[f]
		if (name ~ /\.h$/ && cycle(name, name, 0))
			kept[f, ++count[f]] = "src/" name ": includes itself through others"
		print (count[f] ? "not ok " : "ok ") f " - includes of src/" name
		for (i = 1; i <= count[f]; i++)
			print "# " kept[f, i]
		bad += count[f] > 0
	}
	for (name in known) {
		if (!(name in lives))
			gone = gone "# src/" name " is in the table and nowhere else\n"
	}
	printf "%sok %d - the table of src/README.md has folders that are there\n%s",
		gone ? "not " : "", files + 1, gone
	exit bad > 0 || gone
}
