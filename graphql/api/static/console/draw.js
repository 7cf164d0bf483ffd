// A random draw, made again here: from the signed entry and the pool, by rulebook §9 and nothing else.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const { bytes, entryOf, leafOf, nodeOf, receiptChecks, sha256, toHex, verifying } = window.proofs;
  const hashed = async (text) => toHex(await sha256(bytes(text)));

  async function poolOf(draw, shown) {
    const members = [];
    let after = null;
    do {
      const place = after === null ? "" : `?after=${encodeURIComponent(after)}`;
      const answer = await fetch(`/draws/${encodeURIComponent(draw)}/pool${place}`);
      if (!answer.ok) throw new Error("no pool");
      const page = await answer.json();
      for (const each of page.members) members.push(each);
      after = page.next;
      shown(members.length);
    } while (after !== null);
    return members;
  }

  // RFC 9162, 2.1.1: the root over leaves, level by level.
  async function rootOver(leaves) {
    let level = leaves;
    while (level.length > 1) {
      const above = [];
      for (let place = 0; place + 1 < level.length; place += 2) above.push(await nodeOf(level[place], level[place + 1]));
      if (level.length % 2) above.push(level[level.length - 1]);
      level = above;
    }
    return level[0];
  }

  // As the ledger writes it: RFC 8785, names in order, no blanks.
  const line = ({ status, tickets, uscc }) => JSON.stringify({ status, tickets, uscc });

  async function keyOf(root, draw, member) {
    const keys = [];
    for (let ticket = 0; ticket < member.tickets; ticket += 1) keys.push(await hashed(`${root}\n${draw}\n${member.uscc}\n${ticket}`));
    return keys.sort()[0];
  }

  async function inspectorsOf(root, draw, uscc, request) {
    const keyed = [];
    for (const inspector of request.inspectors) keyed.push([await hashed(`${root}\n${draw}\n${uscc}\n${inspector}`), inspector]);
    keyed.sort(([a], [b]) => (a < b ? -1 : 1));
    return keyed.slice(0, request.perInspection).map(([, inspector]) => inspector);
  }

  verifying(async (receipt, key, box, words) => {
    const { data, type, position } = entryOf(receipt);
    const found = await receiptChecks(receipt, key);
    const told = box.querySelector(".count");
    const shown = (done) => { told.textContent = `${words.progress} ${done} / ${data.poolSize}`; };
    const members = await poolOf(data.drawId, shown);
    const leaves = [];
    const keyed = [];
    for (const member of members) {
      leaves.push(await leafOf(bytes(line(member))));
      keyed.push([await keyOf(data.root, data.drawId, member), member]);
      if (keyed.length % 500 === 0) shown(keyed.length);
    }
    const root = leaves.length ? toHex(await rootOver(leaves)) : "";
    const isPool = members.length === data.poolSize && root === data.poolRoot;
    keyed.sort(([a], [b]) => (a < b ? -1 : 1));
    const least = keyed.slice(0, data.request.count);
    const keys = new Map(keyed.map(([each, member]) => [member.uscc, each]));
    let inspectors = true;
    for (const one of data.drawn) {
      const right = await inspectorsOf(data.root, data.drawId, one.uscc, data.request);
      inspectors &&= JSON.stringify(right) === JSON.stringify(one.inspectors);
    }
    const same = type === "InspectionDrawn" && position === receipt.position && data.drawId === box.dataset.draw;
    const drawn = data.drawn.length === least.length && least.every(([each, member], place) => each === data.drawn[place].key && member.uscc === data.drawn[place].uscc);
    return [
      ...found,
      ["pool", same && isPool],
      ["keys", data.drawn.every((one) => keys.get(one.uscc) === one.key)],
      ["drawn", drawn],
      ["inspectors", inspectors],
    ];
  });
});
