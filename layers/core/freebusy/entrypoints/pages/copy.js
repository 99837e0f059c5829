for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = button.dataset.copied;
      document.getElementById("copied").textContent = button.dataset.said;
    } catch {
      getSelection().selectAllChildren(source);
    }
  });
}
