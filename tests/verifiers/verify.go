// Judges a corpus with golang.org/x/mod/sumdb/{note,tlog}: prints "id accept" or "id reject" for each line.
// The libraries check the signatures and the trees. Written out here are the rules that the specifications leave to the
// verifier: canonical base64, three lines, one signature by the key, strict Ed25519, no "extra" line.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// CheckRecord and CheckTree of x/mod 0.7 never return for larger trees: their search for a power of two overflows.
const maxSize = 1 << 62

// DecodeString by itself accepts spare bits and line breaks.
func decode(text string) ([]byte, bool) {
	bytes, err := base64.StdEncoding.Strict().DecodeString(text)
	return bytes, err == nil && !strings.ContainsAny(text, "\r\n")
}

func parseHash(text string) (hash tlog.Hash, ok bool) {
	bytes, ok := decode(text)
	copy(hash[:], bytes)
	return hash, ok && len(bytes) == len(hash)
}

func parseDecimal(text string) (uint64, bool) {
	number, err := strconv.ParseUint(text, 10, 64)
	return number, err == nil && strconv.FormatUint(number, 10) == text
}

// The points of small order: nobody's key, and no honest signature's R.
var smallOrder = regexp.MustCompile(`^(0[01](00){30}[08]0|ec(ff){30}[7f]f|` +
	`26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc[08]5|` +
	`c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03[7f]a)$`)

var vkeyForm = regexp.MustCompile(`^[^+]+\+[0-9a-f]{8}\+([A-Za-z0-9+/]{44})$`)

func newVerifier(vkey string) (note.Verifier, bool) {
	vkey = strings.TrimSuffix(vkey, "\n")
	form := vkeyForm.FindStringSubmatch(vkey)
	verifier, err := note.NewVerifier(vkey)
	if form == nil || err != nil || strings.IndexFunc(verifier.Name(), unicode.IsControl) >= 0 {
		return nil, false
	}
	key, _ := decode(form[1])
	return verifier, !smallOrder.MatchString(hex.EncodeToString(key[1:]))
}

// checkpoint opens a signed checkpoint: its size and root.
func checkpoint(signed string, key note.Verifier) (size uint64, root tlog.Hash, ok bool) {
	opened, err := note.Open([]byte(signed), note.VerifierList(key))
	if err != nil || len(signed) > 64<<10 {
		return
	}
	lines := strings.Split(signed[len(opened.Text)+1:len(signed)-1], "\n")
	own := 0
	for _, line := range lines {
		part := strings.Split(line, " ") // three, or it would not have opened
		signature, isStrict := decode(part[2])
		if !isStrict || strings.IndexFunc(part[1], unicode.IsControl) >= 0 {
			return
		}
		if part[1] == key.Name() && hex.EncodeToString(signature[:4]) == fmt.Sprintf("%08x", key.KeyHash()) {
			own++
			if len(signature) != 68 || smallOrder.MatchString(hex.EncodeToString(signature[4:36])) {
				return
			}
		}
	}
	text := strings.Split(opened.Text, "\n")
	if own != 1 || len(lines) > 80 || len(text) != 4 || text[0] != key.Name() {
		return
	}
	size, isSize := parseDecimal(text[1])
	root, isRoot := parseHash(text[2])
	return size, root, isSize && isRoot
}

func accepts(kind, vkey, document, about string) bool {
	key, ok := newVerifier(vkey)
	if !ok {
		return false
	}
	if kind == "checkpoint" {
		_, _, ok := checkpoint(document, key)
		return ok
	}
	head, signed, _ := strings.Cut(document, "\n\n")
	size, root, ok := checkpoint(signed, key)
	word := "old "
	if kind == "inclusion" {
		word = "c2sp.org/tlog-proof@v1\nindex "
	}
	if !ok || !strings.HasPrefix(head, word) || size > maxSize {
		return false
	}
	lines := strings.Split(strings.TrimPrefix(head, word), "\n")
	number, ok := parseDecimal(lines[0])
	var path []tlog.Hash
	for _, line := range lines[1:] {
		hash, isHash := parseHash(line)
		path, ok = append(path, hash), ok && isHash
	}
	if !ok || len(path) > 64 || number > maxSize {
		return false
	}
	if kind == "inclusion" {
		return tlog.CheckRecord(path, int64(size), root, int64(number), tlog.RecordHash([]byte(about))) == nil
	}
	oldSize, oldRoot, ok := checkpoint(about, key)
	if number == 0 { // no tree for this library
		return ok && oldSize == 0 && oldRoot == sha256.Sum256(nil) && len(path) == 0
	}
	return ok && oldSize == number && tlog.CheckTree(path, int64(size), root, int64(oldSize), oldRoot) == nil
}

func field(text string) string {
	bytes, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "-"))
	if err != nil {
		panic(err)
	}
	return string(bytes)
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		it := strings.Split(lines.Text(), " ")
		verdict := "reject"
		if accepts(it[3], field(it[4]), field(it[5]), field(it[6])) {
			verdict = "accept"
		}
		fmt.Fprintln(out, it[0], verdict)
	}
}
