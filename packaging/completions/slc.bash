# Completion of slc for bash; zsh takes it after `autoload -U bashcompinit && bashcompinit`.
# It asks slc's own help, which takes a millisecond, so it knows what that version knows.
# shellcheck shell=bash

# First words of the lines of a help text below the heading $1, with their second names.
_slc_entries() {
  awk -v heading="$1:" '
    $0 == heading { within = 1; next }
    /^$/ { within = 0 }
    within && /^  [a-z]/ { sub(/,$/, "", $1); print $1 }'
}

# Options in a help text: "-s", "--scripts".
_slc_options() {
  awk '/^  -/ { for (i = 1; i <= NF && $i ~ /^-/; ++i) { sub(/,$/, "", $i); print $i } }'
}

# What follows slc's path is of where the slcd is: nothing, or -C URL.
_slc_services() {
  "$@" ctl ls 2>/dev/null | awk 'NR > 1 { print $2 }'
}

# IDs of workers as the status shows them: without the supervisors, whose WID is 0.
_slc_workers() {
  "$@" ctl status 2>/dev/null | awk 'split($1, id, ".") == 3 && id[3] == $2 && $3 > 0 { print $1 }'
}

# Numbers of the releases of the service $1; behind it how slc is called.
_slc_releases() {
  local service=$1
  shift
  "$@" ctl releases "$service" 2>/dev/null | awk 'NR > 1 && $1 ~ /^[0-9]+$/ { print $1 }'
}

# The same of its profiles.
_slc_profiles() {
  local service=$1
  shift
  "$@" ctl profiles "$service" 2>/dev/null | awk 'NR > 1 && $1 ~ /^[0-9]+$/ { print $1 }'
}

_slc_branches() {
  git for-each-ref --format='%(refname:short)' refs/heads 2>/dev/null
}

_slc() {
  local -a words=("${COMP_WORDS[@]}") there=()
  local count=$COMP_CWORD i
  # In front of the command: -C and a URL, which bash has cut at its colons.
  if [ "${words[1]-}" = -C ] || [ "${words[1]-}" = --control ]; then
    for ((i = 3; i <= count; ++i)); do
      [[ ${words[i - 1]} != [:=] && ${words[i]} != [:=] ]] || continue
      there=(-C "$(printf '%s' "${words[@]:2:i-2}")")
      words=("${words[0]}" "${words[@]:i}")
      count=$((count - i + 1))
      break
    done
  fi
  local slc=${words[0]} word=${words[count]} before=${words[count - 1]}
  local command=${words[1]-} verb=${words[2]-} choices=
  COMPREPLY=()
  if [ "$count" -eq 1 ]; then
    choices=$("$slc" --help 2>/dev/null | _slc_entries Commands)
  elif [ "${word:0:1}" = - ]; then
    if [ "$command" = ctl ] && [ "$count" -gt 2 ] && [ "${verb:0:1}" != - ]; then
      choices=$("$slc" ctl "$verb" --help 2>/dev/null | _slc_options)
    else
      choices=$("$slc" "$command" --help 2>/dev/null | _slc_options)
    fi
  else
    case $command:$verb in
      ctl:cpu-* | ctl:heap-snapshot | ctl:objects-* | ctl:dbg-*)
        [ "$count" -ne 3 ] || choices=$(_slc_workers "$slc" "${there[@]}") ;;
      ctl:rollback)
        [ "$count" -ne 4 ] || choices=$(_slc_releases "$before" "$slc" "${there[@]}") ;;
      ctl:profile-get | ctl:profile-rm)
        [ "$count" -ne 4 ] || choices=$(_slc_profiles "$before" "$slc" "${there[@]}") ;;
    esac
    [ -n "$choices" ] || case $command:$before in
      ctl:ctl) choices=$("$slc" ctl --help 2>/dev/null | _slc_entries Verbs) ;;
      ctl:*) [ "$count" -ne 3 ] || choices=$(_slc_services "$slc" "${there[@]}") ;;
      logs:logs | events:events | why:why | deploy:-s | deploy:--service) choices=$(_slc_services "$slc" "${there[@]}") ;;
      service:service) choices='install uninstall' ;;
      build:--onto) choices=$(_slc_branches) ;;
      # Files come from bash itself.
      deploy:--cacert | deploy:--cert | deploy:--key) ;;
      deploy:*) choices=$(_slc_branches) ;;
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
}

complete -o bashdefault -o default -F _slc slc
