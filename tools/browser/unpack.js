// Unpacks the browser into the temporary folder, and prints where it is. It brings the system libraries that it needs where
// it takes this machine for one that has none.

process.env.AWS_EXECUTION_ENV ??= "AWS_Lambda_nodejs22.x";

const { default: chromium } = await import("@sparticuz/chromium");

console.log(await chromium.executablePath());
