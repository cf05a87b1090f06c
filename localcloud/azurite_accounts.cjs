// Lets the process that has started Azurite set its accounts. A line of standard input is a number and what takes the
// place of the variable AZURITE_ACCOUNTS, which Azurite itself reads again once a minute (src/common/AccountDataStore.ts).
// A line on standard output answers with the number, once the accounts hold.
"use strict";

const { createInterface } = require("node:readline");
const AccountDataStore = require("azurite/dist/src/common/AccountDataStore").default;

const stores = [];
const init = AccountDataStore.prototype.init;

AccountDataStore.prototype.init = function () {
  stores.push(this);
  return init.call(this);
};

createInterface({ input: process.stdin }).on("line", (line) => {
  const [number, accounts] = line.split(" ");
  process.env.AZURITE_ACCOUNTS = accounts;
  stores.forEach((store) => store.refresh());
  console.log(`accounts taken: ${number}`);
});
