# Completion of sluicectl(1) for bash. Names of brokers, pools and listeners are asked from the running daemon.
# shellcheck shell=bash

# _sluicectl_names WHAT: the names that `show WHAT` lists; a broker whose name several pools have as POOL/NAME.
_sluicectl_names() {
    timeout 2 "${_sluicectl_ask[@]}" show "$1" 2>/dev/null | awk '
        NR == 1 { for (i = 1; i <= NF; ++i) column[$i] = i; next }
        NF == 0 { exit }
        { name[NR] = $column["NAME"]; pool[NR] = $column["POOL"]; ++seen[name[NR]] }
        END { for (n in name) print (seen[name[n]] > 1 ? pool[n] "/" : "") name[n] }'
}

# What may stand behind these words of a command; a line each. What ends in = is not complete yet.
_sluicectl_offers() {
    local command=$*
    case $command in
        '') printf '%s\n' show explain reload drain maintenance ready weight add remove kill log help top ;;
        show) printf '%s\n' info listeners pools backends connections ports neighbors config counters ;;
        'show counters') echo all ;;
        'show connections'* | 'kill connection'*)
            printf '%s\n' backend= client_id= client_id_prefix= address= phase= limit= ;;
        kill) echo connection ;;
        'explain '*) printf '%s\n' listener= pool= username= version= address= ;;
        reload) echo --dry-run ;;
        drain | maintenance | ready | weight | 'remove backend') _sluicectl_names backends ;;
        add | remove) echo backend ;;
        'add backend') _sluicectl_names pools ;;
        'add backend '*' '*' '*) echo weight= ;;
        log) echo level ;;
        'log level') printf '%s\n' debug info warning error ;;
        top*) printf '%s\n' --interval -n --once ;;
    esac
}

# What may stand behind NAME= .
_sluicectl_values() {
    case $1 in
        backend) _sluicectl_names backends ;;
        pool) _sluicectl_names pools ;;
        listener) _sluicectl_names listeners ;;
        version) printf '%s\n' 3.1 3.1.1 5 ;;
        phase) printf '%s\n' handshake await-connect connecting replaying relayed resting spliced refusing closing ;;
    esac
}

_sluicectl() {
    # By blanks: bash itself parts words at = and : too.
    local -a typed words=() _sluicectl_ask=("$1")
    local line=${COMP_LINE:0:COMP_POINT} current='' i offers prefix=''
    read -ra typed <<<"$line"
    if [[ $line != *[[:blank:]] ]]; then
        current=${typed[-1]}
        unset 'typed[-1]'
    fi
    for ((i = 1; i < ${#typed[@]}; ++i)); do
        case ${typed[i]} in
            --socket | -i | --interval | -n)
                if ((i + 1 == ${#typed[@]})); then  # its value is what is being typed
                    if [[ ${typed[i]} == --socket ]]; then
                        mapfile -t COMPREPLY < <(compgen -f -- "$current")
                        compopt -o filenames 2>/dev/null
                    fi
                    return
                fi
                if [[ ${typed[i]} == --socket ]]; then _sluicectl_ask+=(--socket "${typed[i + 1]}"); fi
                i=$((i + 1))
                ;;
            -*) ;;
            *) words+=("${typed[i]}") ;;
        esac
    done
    if [[ $current == *=* ]]; then
        prefix=${current%%=*}=
        offers=$(_sluicectl_values "${prefix%=}")
    else
        offers=$(_sluicectl_offers "${words[@]}")
        if [[ $current == -* ]]; then offers+=$'\n--socket\n--json\n--help\n--version'; fi
    fi
    mapfile -t COMPREPLY < <(compgen -P "$prefix" -W "$offers" -- "${current#"$prefix"}")
    # Readline replaces what stands behind the last sign that parts words.
    local breaks=${COMP_WORDBREAKS//[^=:]/} kept=''
    if [[ -n $breaks ]]; then kept=${current%"${current##*["$breaks"]}"}; fi
    for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]=${COMPREPLY[i]#"$kept"}; done
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}

complete -F _sluicectl sluicectl
