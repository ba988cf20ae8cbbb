# fish completion for ossuary: the program itself says what may come next.
function __ossuary_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] _complete $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path "$current"
            case :directories
                __fish_complete_directories "$current"
            case '*'
                echo $line
        end
    end
end
complete -c ossuary -f -a '(__ossuary_complete)'
