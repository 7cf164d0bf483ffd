// A decision's proof: what its receipt proves, and that the entry is the decision that the page shows.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const { entryOf, receiptChecks, verifying } = window.proofs;
  if (!document.querySelector(".verify")) return;
  verifying(async (receipt, key, box) => {
    const said = entryOf(receipt);
    const same = said.type === "GateDecided" && said.position === receipt.position;
    return [...(await receiptChecks(receipt, key)), ["same", same && said.data.decisionId === box.dataset.decision]];
  });
});
