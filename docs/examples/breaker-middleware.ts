// A circuit breaker around an LLM feature, read from Freezeframe with OpenFeature.
//
//   npm install @openfeature/server-sdk @openfeature/ofrep-provider
//
// The breaker is asked before each request. When it says no, the plan's action says what to do instead; an action the
// application does not know ends in the fallback reply. When the sidecar does not answer, OpenFeature returns the default
// given here, true: the application goes on as if there were no breaker.

import { OFREPProvider } from "@openfeature/ofrep-provider";
import { type EvaluationContext, type FlagMetadata, OpenFeature } from "@openfeature/server-sdk";

export const FALLBACK_REPLY =
  "I can't answer that right now. Please try again in a few minutes, or ask for a person.";

/** tool, model, index, reply and route, as far as the plan names them. */
export type Parameters = FlagMetadata;
export type OtherWay = (question: string, parameters: Parameters) => Promise<string> | string;

export async function connect(baseUrl = "http://127.0.0.1:8889", token?: string): Promise<void> {
  const headers: [string, string][] = token ? [["authorization", `Bearer ${token}`]] : [];
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers }));
}

/** Wraps `usual`. `instead` maps actions to functions that answer in another way. */
export function withBreaker(
  feature: string,
  usual: (question: string) => Promise<string>,
  instead: Record<string, OtherWay> = {},
): (question: string, user?: string) => Promise<string> {
  const client = OpenFeature.getClient();
  const ways: Record<string, OtherWay> = {
    safe_reply: (_, parameters) => String(parameters.reply ?? FALLBACK_REPLY),
    ...instead,
  };
  return async (question, user) => {
    const context: EvaluationContext = user ? { targetingKey: user } : {};
    const decision = await client.getBooleanDetails(`breaker.${feature}.allow`, true, context);
    if (decision.value) return usual(question);
    const parameters = decision.flagMetadata ?? {};
    const otherWay = ways[String(parameters.action)];
    try {
      return otherWay ? await otherWay(question, parameters) : FALLBACK_REPLY;
    } catch {
      return FALLBACK_REPLY; // the other way is down as well
    }
  };
}

// await connect();
// const answer = withBreaker("support", askModel, {
//   pin_model: (question, { model }) => askModel(question, String(model)),
//   disable_tool: (question, { tool }) => askModel(question, undefined, { without: [String(tool)] }),
// });
