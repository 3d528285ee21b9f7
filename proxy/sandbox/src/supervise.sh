# Runs a server for as long as somebody holds the other end of standard input.
# $1: directory to remove afterwards; $2: log; the rest: the command.
dir=$1
log=$2
shift 2
# Descriptor 3 is the owner's way to learn that the server has ended.
"$@" 3>&1 >>"$log" 2>&1 </dev/null &
server=$!
echo "$server"
exec >&-
while read -r word; do
	# The server did not start; the owner tries again in the same directory.
	if [ "$word" = keep ]; then dir=; fi
done
kill -QUIT "$server" 2>/dev/null
wait "$server"
if [ -n "$dir" ]; then rm -rf "$dir"; fi
