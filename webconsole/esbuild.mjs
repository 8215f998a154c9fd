// Bundles the console (build) or its unit tests (test). Knows the layout of both; decides nothing
// about the program. The names of the files carry their hash, so a browser may keep them for ever.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import esbuild from "esbuild";

const STATIC = "../mirror/web/static";
// What the first page may weigh, compressed (issue: "first page under 300 KiB").
const FIRST_PAGE_BYTES_MAX = 300 * 1024;

const SHARED = {
  bundle: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
};

async function build() {
  rmSync(STATIC, { recursive: true, force: true });
  mkdirSync(STATIC, { recursive: true });
  const result = await esbuild.build({
    ...SHARED,
    entryPoints: ["src/main.tsx", "src/styles/console.css"],
    outdir: join(STATIC, "assets"),
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    publicPath: "/assets",
    splitting: true,
    minify: true,
    metafile: true,
    loader: { ".svg": "file" },
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const outputs = Object.entries(result.metafile.outputs);
  const made = (entry) => {
    const found = outputs.find(([, output]) => output.entryPoint === entry);
    if (!found) throw new Error(`not built: ${entry}`);
    return found[0];
  };
  const script = made("src/main.tsx");
  const style = made("src/styles/console.css");
  const page = readFileSync("src/index.html", "utf8")
    .replace("{{script}}", `/assets/${basename(script)}`)
    .replace("{{style}}", `/assets/${basename(style)}`);
  writeFileSync(join(STATIC, "index.html"), page);
  writeFileSync(join(STATIC, "favicon.svg"), readFileSync("src/favicon.svg"));
  weigh(result.metafile, [script, style]);
}

// Static imports count for the first page; what is imported on demand does not.
function weigh(metafile, entries) {
  const first = new Set();
  const add = (path) => {
    if (first.has(path)) return;
    first.add(path);
    for (const used of metafile.outputs[path].imports) {
      if (used.kind === "import-statement") add(used.path);
    }
  };
  entries.forEach(add);
  let bytes = 0;
  for (const path of first) bytes += gzipSync(readFileSync(path)).length;
  console.log(`webconsole: first page ${(bytes / 1024).toFixed(1)} KiB compressed`);
  if (bytes > FIRST_PAGE_BYTES_MAX) throw new Error("the first page is too heavy");
}

async function test() {
  rmSync("out/test", { recursive: true, force: true });
  const entryPoints = readdirSync("test")
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => join("test", name));
  await esbuild.build({
    ...SHARED,
    entryPoints,
    outdir: "out/test",
    outExtension: { ".js": ".mjs" },
    platform: "node",
    sourcemap: "inline",
  });
}

await { build, test }[process.argv[2] ?? "build"]();
