// Reads breakers as a Node application does: through OpenFeature's own OFREP provider. Speaks as ofrep.py does: one
// feature name a line on standard input, then a tab and the targeting key if there is one; one JSON line for each.
//
// usage: node ofrep.mjs MODULES URL   (MODULES: the directory with node_modules)

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { resolve } from "node:path";

const [modules, baseUrl] = process.argv.slice(2);
const load = createRequire(resolve(modules, "package.json"));
const { OpenFeature } = load("@openfeature/server-sdk");
const { OFREPProvider } = load("@openfeature/ofrep-provider");

await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl }));
const client = OpenFeature.getClient();

for await (const line of createInterface({ input: process.stdin })) {
  const [feature, targetingKey] = line.split("\t");
  const context = targetingKey ? { targetingKey } : {};
  const key = `breaker.${feature}.allow`;
  const details = await client.getBooleanDetails(key, true, context);
  const state = await client.getObjectDetails(`breaker.${feature}.state`, { state: "default" }, context);
  const answer = {
    key,
    allow: details.value,
    reason: details.reason,
    variant: details.variant ?? null,
    error: details.errorCode ?? null,
    metadata: details.flagMetadata,
    route: await client.getStringValue(`breaker.${feature}.route`, "default", context),
    state: state.value.state,
  };
  console.log(JSON.stringify(answer));
}
