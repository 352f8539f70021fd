/** Names of the voices that NVIDIA publishes with PersonaPlex: “natural” and “variety”, female and male. */
export const PUBLISHED_VOICES: readonly string[] = (
  [['NATF', 4], ['NATM', 4], ['VARF', 5], ['VARM', 5]] as const
).flatMap(([kind, count]) => Array.from({ length: count }, (_, i) => `${kind}${i}`)); // prettier-ignore
