#!/usr/bin/awk -f
# Who may include whom (src/README.md). Prints TAP, one line a file.
# Use: includes.awk [SRCDIR]; SRCDIR of the environment otherwise.

function allow(folder, list,	i, n, word) {
	known[folder] = 1
	n = split(list, word, " ")
	for (i = 1; i <= n; i++)
		may[folder, word[i]] = 1
	may[folder, folder] = 1
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
	allow("util", "")
	allow("net", "util")
	allow("message", "util")
	allow("dns", "util net")
	allow("tls", "util net dns")
	allow("mime", "util message")
	allow("conf", "util net message")
	allow("secrets", "util net conf/account.h")
	allow("smtp", "util net tls message mime secrets conf/account.h")
	allow("smime", "util message mime secrets conf/account.h")
	allow("prepare", "util message mime smime conf smtp")
	allow("submit", "util net dns tls message mime conf secrets smtp smime prepare")
	allow("queue", "util message")
	# The listener checks its own settings: plain data, as account.h is.
	allow("server", "util net tls message secrets conf/listen.h")
	# Tools beside the way of the mail: only cli knows them.
	tool = "util net dns tls message mime conf secrets smtp smime prepare submit"
	allow("check", tool)
	allow("setup", tool)
	allow("track", tool)
	allow("import", tool)
	allow("cli", tool " queue server check setup track import")
	# main.c is to read like the table of sandbox stages (section 10).
	allow(".", "cli util")

	command = "cd '" src "' && find . -name '*.[ch]' | sed 's|^\\./||' | LC_ALL=C sort"
	while ((command | getline name) > 0) {
		file[++files] = name
		exists[name] = 1
	}
	if (close(command) != 0 || files == 0) {
		print "Bail out! no sources in " src
		exit 1
	}
	print "1.." files
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
	exit bad > 0
}
