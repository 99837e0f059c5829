for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
      document.getElementById("copied").textContent = `Copied: ${button.dataset.name}`;
    } catch {
      getSelection().selectAllChildren(source);
    }
  });
}
