#compdef ossuary
# zsh completion for ossuary: the program itself says what may come next.
_ossuary() {
    local line word tab=$'\t'
    local -a candidates
    for line in "${(@f)$("${words[1]}" _complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        case $line in
            '') ;;
            :files) _files; return ;;
            :directories) _files -/; return ;;
            *)
                word=${line%%$tab*}
                candidates+=("${word//:/\\:}:${line#*$tab}")
                ;;
        esac
    done
    _describe ossuary candidates
}
if [[ ${funcstack[1]} == _ossuary ]]; then
    _ossuary "$@"
else
    compdef _ossuary ossuary
fi
