# Reads the cases and the verdicts beside them in `dir`: prints each disagreement with its case, then the counts by class.
# Fails when two verifiers disagree, when a case got another verdict than it was made for, or when a verdict is missing.
BEGIN { count = split("ours crates go python bash", judge) }
{
  verdicts = ""; agree = 1
  for (i = 1; i <= count; i++) {
    if (judge[i] == "bash" && NR > bash_cases) continue
    verdict = "missing"
    if ((getline answer < (dir "/" judge[i])) > 0 && split(answer, part, " ") == 2 && part[1] == $1) verdict = part[2]
    if (i == 1) first = verdict
    if (verdict != first || verdict !~ /^(accept|reject)$/) agree = 0
    verdicts = verdicts " " judge[i] "=" verdict
    total[judge[i], verdict]++
  }
  if ($3 != "either" && $3 != first) agree = 0
  if (!agree) { differ++; print "DISAGREE: case " $1 ", made to " $3 ":" verdicts; print "  " $0 }
  if (!($2 in cases)) order[++classes] = $2
  cases[$2]++
  kinds[$4]++
  if (first == "accept") accepted[$2]++
}
END {
  printf "%-28s %7s %9s %9s\n", "class", "cases", "accepted", "rejected"
  for (i = 1; i <= classes; i++) {
    class = order[i]
    printf "%-28s %7d %9d %9d\n", class, cases[class], accepted[class], cases[class] - accepted[class]
  }
  while ((getline answer < (dir "/times")) > 0) { split(answer, part, " "); seconds[part[1]] = part[2] / 1000 }
  printf "\n%-28s %7s %9s %9s\n", "verifier", "seconds", "accepted", "rejected"
  for (i = 1; i <= count; i++)
    printf "%-28s %7.1f %9d %9d\n", judge[i], seconds[judge[i]], total[judge[i], "accept"], total[judge[i], "reject"]
  printf "\n%d cases (%d checkpoints, %d inclusion, %d consistency), %d disagreements\n", NR, kinds["checkpoint"], \
    kinds["inclusion"], kinds["consistency"], differ
  exit differ > 0 || NR == 0
}
