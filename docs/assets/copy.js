// The button beside a console block copies its commands, without prompts and output.
document.addEventListener("copy", (event) => {
  const field = document.activeElement;
  if (!(field instanceof HTMLTextAreaElement) || !field.value.startsWith("$ ")) return;
  let goesOn = false;
  const commands = field.value.split("\n").filter((line) => {
    const kept = goesOn || line.startsWith("$ ");
    goesOn = kept && line.endsWith("\\");
    return kept;
  });
  event.clipboardData.setData("text/plain", commands.map((line) => line.replace(/^\$ /, "")).join("\n"));
  event.preventDefault();
});
