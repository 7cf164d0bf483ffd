// Proofs, checked here and not by the server: RFC 9162's paths and roots, and the Ed25519 signature of a C2SP note.
"use strict";
(() => {
  const bytes = (text) => new TextEncoder().encode(text);
  const fromBase64 = (text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  const fromHex = (text) => Uint8Array.from(text.match(/../g) || [], (pair) => parseInt(pair, 16));
  const toHex = (found) => [...found].map((each) => each.toString(16).padStart(2, "0")).join("");

  function joined(...parts) {
    const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
    parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
    return whole;
  }

  const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
  const leafOf = (entry) => sha256(Uint8Array.of(0), entry);
  const nodeOf = (left, right) => sha256(Uint8Array.of(1), left, right);

  // RFC 9162, 2.1.3.2: the root that an inclusion path leads to; null for a path of the wrong length.
  async function rootOf(leaf, index, size, path) {
    let node = index;
    let last = size - 1;
    let root = leaf;
    for (const beside of path) {
      if (last === 0) return null;
      if (node % 2 === 1 || node === last) {
        root = await nodeOf(beside, root);
        while (node % 2 === 0 && node !== 0) {
          node /= 2;
          last = Math.floor(last / 2);
        }
      } else {
        root = await nodeOf(root, beside);
      }
      node = Math.floor(node / 2);
      last = Math.floor(last / 2);
    }
    return last === 0 ? root : null;
  }

  // C2SP signed-note: the key is NAME+HASH+BASE64 of a type byte and 32 bytes.
  function keyOf(text) {
    const [, name, id, encoded] = /^(.+?)\+([0-9a-f]{8})\+(.+)$/.exec(text.trim());
    const found = fromBase64(encoded);
    if (found[0] !== 1 || found.length !== 33) throw new Error("no Ed25519 key");
    return { name, id, raw: found.slice(1) };
  }

  function parts(note) {
    const [text, signatures] = note.split(/\n\n(?=— )/);
    return { text: `${text}\n`, signatures: signatures.split("\n").filter((line) => line.startsWith("— ")) };
  }

  async function isSigned(note, key) {
    const { text, signatures } = parts(note);
    const verifying = await crypto.subtle.importKey("raw", key.raw, { name: "Ed25519" }, false, ["verify"]);
    for (const line of signatures) {
      const [, name, encoded] = line.split(" ");
      const found = fromBase64(encoded);
      if (name !== key.name || toHex(found.slice(0, 4)) !== key.id) continue;
      if (await crypto.subtle.verify("Ed25519", verifying, found.slice(4), bytes(text))) return true;
    }
    return false;
  }

  // What a receipt proves by itself: the entry, the path, the checkpoint and its signature.
  async function receiptChecks(receipt, keyText) {
    const entry = fromBase64(receipt.entry);
    const leaf = await leafOf(entry);
    const root = await rootOf(leaf, receipt.position - 1, receipt.checkpoint.size, receipt.proof.map(fromHex));
    const [, size, named] = parts(receipt.checkpoint.note).text.split("\n");
    return [
      ["leaf", toHex(leaf) === receipt.leafHash],
      ["path", root !== null && toHex(root) === receipt.checkpoint.rootHash],
      ["note", Number(size) === receipt.checkpoint.size && toHex(fromBase64(named)) === receipt.checkpoint.rootHash],
      ["signature", await isSigned(receipt.checkpoint.note, keyOf(keyText))],
    ];
  }

  const entryOf = (receipt) => JSON.parse(new TextDecoder().decode(fromBase64(receipt.entry)));

  function show(list, words, found) {
    list.replaceChildren(
      ...found.map(([name, holds]) => Object.assign(document.createElement("li"), { textContent: words[name], className: holds ? "" : "bad" })),
    );
    const holds = found.every(([, each]) => each);
    const sum = Object.assign(document.createElement("li"), { textContent: words[holds ? "holds" : "fails"], className: holds ? "sum" : "sum bad" });
    list.append(sum);
  }

  // Puts the ledger's key into its field and checks when asked to: `checks` gives pairs of a name and whether it holds.
  async function verifying(checks) {
    const box = document.querySelector(".verify");
    const words = JSON.parse(box.dataset.words);
    const key = box.querySelector("input");
    const list = box.querySelector(".checks");
    const button = box.querySelector("button");
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        show(list, words, await checks(JSON.parse(box.dataset.receipt), key.value, box, words));
      } catch (fault) {
        const text = fault.name === "NotSupportedError" ? words.unable : words.fails;
        list.replaceChildren(Object.assign(document.createElement("li"), { textContent: text, className: "sum bad" }));
      }
      button.disabled = false;
    });
    const answer = await fetch("/tlog/key");
    if (answer.ok && !key.value) key.value = (await answer.text()).trim();
  }

  window.proofs = { bytes, entryOf, leafOf, nodeOf, receiptChecks, sha256, toHex, verifying };
})();
