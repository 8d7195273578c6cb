# Instructions of one object itself, from a callgrind.out file. -v object=path's end
/^c?ob=/ {
    split($0, part, /[()]/)
    if (part[3] != "") name[part[2]] = part[3] # said once, in either kind of line
    if (/^ob=/) current = name[part[2]]
    next
}
/^calls=/ { getline; next } # the cost of what was called
/^[0-9+*-]/ { if (substr(current, length(current) - length(object) + 1) == object) sum += $2 }
END { print sum + 0 }
