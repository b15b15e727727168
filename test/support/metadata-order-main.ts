/** Imports modules in the order of the arguments, then reports whether injection, validation and the document work. */
for (const name of process.argv.slice(2)) await import(name);
const { examine } = await import('./metadata-order-app.js');
console.log(JSON.stringify(await examine()));
process.exit(0);
